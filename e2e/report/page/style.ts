/**
 * Style of the page. Verdicts and squares differ by mark and word as well as by colour; the contrast of text is at least 4.5:1 in both
 * schemes. Open and closed are blue and grey, never red or green: only what is wrong is red.
 */
export const style = `
:root{color-scheme:light dark;--page:#f5f6f8;--card:#fff;--line:#dde1e7;--text:#1b2430;--soft:#566173;--link:#1c56a8;--grid:#e4e8ed;
--pass:#116b3a;--pass-bg:#e3f4ea;--pass-bar:#4fae7c;--fail:#a8181f;--fail-bg:#fde8e8;--fail-bar:#d3353d;--error:#8a3ab0;--error-bg:#f5e9fb;--error-bar:#a155c6;
--np:#7a5200;--np-bg:#fff1d0;--np-bar:#dba52b;--none:#8a93a1;
--open-bg:#cfe2fb;--open:#174a8c;--closed-bg:#eceef2;--closed:#646e7d;--wrong-bg:#c3161f;--wrong:#fff;
--l0:#1d5fc2;--l1:#b3540f;--l2:#1a7a4c;--l3:#8a3ab0;--l4:#a8181f;--l5:#4d5868}
@media (prefers-color-scheme:dark){:root{--page:#12161c;--card:#1b212a;--line:#303946;--text:#e7ebf1;--soft:#a3aebd;--link:#8bb8f5;--grid:#2a323d;
--pass:#6fd69b;--pass-bg:#12311f;--pass-bar:#3d9a69;--fail:#ff9a9a;--fail-bg:#3d1618;--fail-bar:#e5535a;--error:#dca6f5;--error-bg:#33183f;--error-bar:#b874db;
--np:#ffcf6b;--np-bg:#3a2a06;--np-bar:#c79634;--none:#778293;
--open-bg:#1f436f;--open:#c3ddff;--closed-bg:#262d37;--closed:#97a2b2;--wrong-bg:#f0525a;--wrong:#1c0708;
--l0:#7fb2ff;--l1:#ffab6b;--l2:#6fd69b;--l3:#dca6f5;--l4:#ff9a9a;--l5:#b6c0cd}}
*{box-sizing:border-box}
html{scroll-padding-top:16px}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
header,main{max-width:1240px;margin:0 auto;padding:0 24px}
header{padding-top:28px}main{padding-bottom:64px}
p{margin:0}a{color:var(--link);text-decoration-thickness:1px;text-underline-offset:2px}
code,pre,q,.facts dd,.environment dd,.file{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:13px}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.soft,small{color:var(--soft);font-weight:400;font-size:13px}.alarm{color:var(--fail);font-weight:600}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 16px;margin:0 0 10px}
.eyebrow{color:var(--soft);letter-spacing:.04em;font-size:13px}
h1{margin:6px 0 4px;font-size:30px;line-height:1.2;letter-spacing:-.01em;padding-left:14px;border-left:6px solid var(--pass);overflow-wrap:anywhere}
header.fail h1{border-color:var(--fail)}header.not-proven h1{border-color:var(--np)}
.when{margin:6px 0 16px;color:var(--soft)}
.totals{list-style:none;display:flex;flex-wrap:wrap;gap:10px;margin:0;padding:0}
.totals li{padding:7px 16px;border-radius:8px;border:1px solid var(--line);background:var(--card)}
.totals b{font-size:20px;margin-right:4px}
.totals .pass b{color:var(--pass)}.totals .fail b{color:var(--fail)}.totals .error b{color:var(--error)}.totals .not-proven b{color:var(--np)}
.totals .none,.totals .none b{color:var(--soft)}
nav{margin:16px 0 0;display:flex;flex-wrap:wrap;gap:4px 18px;font-size:14px}
section{margin:34px 0}
h2{font-size:20px;margin:0 0 10px;display:flex;align-items:center;gap:14px;flex-wrap:wrap}h3{margin:0;font-size:16px}h4{margin:10px 0 2px;font-size:13px;color:var(--soft)}
.lead{color:var(--soft);margin:-4px 0 12px;font-size:14px}
.chip{display:inline-block;padding:1px 9px;border-radius:999px;font-size:12.5px;font-weight:600;white-space:nowrap}
.chip.pass{color:var(--pass);background:var(--pass-bg)}.chip.fail{color:var(--fail);background:var(--fail-bg)}
.chip.error{color:var(--error);background:var(--error-bg)}.chip.not-proven{color:var(--np);background:var(--np-bg)}
.chip.absent{color:var(--soft);background:var(--closed-bg)}
.bar{display:inline-flex;width:120px;height:7px;border-radius:4px;overflow:hidden;gap:2px;flex:none;vertical-align:middle}
.bar i,.row a,.row i{background:var(--pass-bar)}.bar .fail,.row .fail{background:var(--fail-bar)}.bar .error,.row .error{background:var(--error-bar)}.bar .not-proven,.row .not-proven{background:var(--np-bar)}.bar i{min-width:3px}
details>summary{cursor:pointer;color:var(--soft);font-size:13.5px}details>summary b{color:var(--text)}
pre{overflow:auto;margin:6px 0 0;padding:10px;background:var(--page);border-radius:6px}
ul.long{margin:2px 0;padding-left:18px;max-height:40em;overflow:auto;font-size:13.5px;overflow-wrap:anywhere}ul.long li{margin:3px 0}
table{border-collapse:collapse}
table.criteria,table.tests{width:100%;table-layout:fixed}
table.criteria{background:var(--card);border:1px solid var(--line);border-radius:8px;border-collapse:separate;border-spacing:0;overflow:hidden}
.criteria th,.tests th{font-size:12.5px;text-align:left;color:var(--soft);font-weight:600;padding:8px 14px;border-bottom:1px solid var(--line)}
.criteria td,.tests td{padding:10px 14px;vertical-align:top;border-bottom:1px solid var(--line)}
.criteria tr:last-child td,.tests tr:last-child td{border-bottom:0}
.criteria th:first-child,.tests th:first-child{width:132px}.criteria th:last-child{width:200px}
.criteria tbody td:first-child{border-left:4px solid var(--pass-bar)}.criteria .fail td:first-child{border-left-color:var(--fail-bar)}.criteria .error td:first-child{border-left-color:var(--error-bar)}.criteria .not-proven td:first-child{border-left-color:var(--np-bar)}
.claim{font-weight:600;overflow-wrap:anywhere}.claim .id{color:var(--soft);font-variant-numeric:tabular-nums;margin-right:4px}
.why{margin:4px 0 2px;overflow-wrap:anywhere}.source{overflow-wrap:anywhere}
.proof ul{margin:0;padding:0;list-style:none;font-size:13.5px}.lacking{color:var(--np)}
.caught{display:inline-block;min-width:82px;font-weight:600}.caught.pass{color:var(--pass)}.caught.fail{color:var(--fail)}.caught.absent{color:var(--soft);font-weight:400}
.detail{border-left-width:5px}
.detail.fail{border-left-color:var(--fail-bar)}.detail.error{border-left-color:var(--error-bar)}.detail.not-proven{border-left-color:var(--np-bar)}
.detail h3{overflow-wrap:anywhere}.detail h3 a{color:inherit;text-decoration:none}.detail h3 a:hover{text-decoration:underline}
.reason{margin:6px 0 0;overflow-wrap:anywhere}.rest{white-space:pre-wrap;max-height:30em;overflow-wrap:anywhere}.reason.more{color:var(--soft)}
.evidence{margin-top:8px;display:flex;flex-wrap:wrap;gap:4px 14px;font-size:13px}.file{overflow-wrap:anywhere}
details.suite{padding:0}details.suite>summary{padding:10px 16px;font-size:14px;display:flex;flex-wrap:wrap;align-items:center;gap:4px 12px}
details.suite>summary::before,details.matrix>summary::before{content:"▸";color:var(--soft)}details.suite[open]>summary::before,details.matrix[open]>summary::before{content:"▾"}
details.suite>summary b{overflow-wrap:anywhere}details.suite>summary .bar{margin-left:auto}details.suite[open]>summary{border-bottom:1px solid var(--line)}
details.suite>summary::-webkit-details-marker,details.matrix>summary::-webkit-details-marker{display:none}
.title{font-weight:500;overflow-wrap:anywhere}.parent{color:var(--soft);font-weight:400}
.serves{font-size:12px;font-weight:600;text-decoration:none;border:1px solid var(--line);border-radius:4px;padding:0 5px;white-space:nowrap}
.short{font-size:13px;color:var(--soft);overflow-wrap:anywhere}
th.time{width:130px}.time{text-align:right!important;white-space:nowrap;font-variant-numeric:tabular-nums;color:var(--soft)}
.time i{display:block;height:3px;border-radius:2px;background:var(--none);margin:5px 0 0 auto;opacity:.6}
tr:target>td,.detail:target{background:var(--np-bg)}
.facts{display:flex;flex-wrap:wrap;gap:2px 20px;margin:4px 0 0;font-size:13px}.facts div{display:flex;gap:6px;min-width:0}
.facts dt{color:var(--soft)}.facts dd{margin:0;overflow-wrap:anywhere;min-width:0}
.controls{margin:10px 0 4px}.controls figcaption{font-size:12.5px;color:var(--soft);margin-bottom:5px;overflow-wrap:anywhere}
.strip{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:8px}
.strip>div{border:1px solid var(--line);border-radius:8px;padding:8px 10px;display:flex;flex-direction:column;gap:2px;min-width:0;font-size:13px;border-top:3px solid var(--pass-bar)}
.strip>.negative{border-top-color:var(--np-bar)}.strip>.unseen{border-top-color:var(--none);color:var(--soft)}
.strip b{font-size:12px;color:var(--soft);font-weight:600}.strip span{overflow-wrap:anywhere}.strip q{quotes:none;overflow-wrap:anywhere;max-height:11em;overflow:auto}.strip em{font-style:normal;color:var(--soft);font-size:12px}
.scroll{overflow:auto;max-width:100%}
details.matrix{border-left:5px solid var(--pass-bar)}details.matrix.fail{border-left-color:var(--fail-bar)}
details.matrix>summary{font-size:14px;display:flex;flex-wrap:wrap;gap:2px 10px;align-items:baseline}details.matrix>summary b{font-size:15px;overflow-wrap:anywhere}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 20px;padding:0;margin:10px 0;font-size:13px;align-items:center}.legend li{display:flex;align-items:center;gap:7px}
.sq{text-align:center;font-weight:700;font-size:13px;line-height:1}
span.sq{display:inline-grid;place-items:center;width:22px;height:22px;border-radius:4px;flex:none}
.sq.open{background:var(--open-bg);color:var(--open)}.sq.closed{background:var(--closed-bg);color:var(--closed)}
.sq.leak{background:linear-gradient(135deg,var(--closed-bg) 32%,var(--wrong-bg) 32.5%);color:var(--wrong)}
.sq.shut{background:linear-gradient(135deg,var(--open-bg) 32%,var(--wrong-bg) 32.5%);color:var(--wrong)}
.sq.disputed{background:linear-gradient(135deg,var(--np-bg) 32%,var(--wrong-bg) 32.5%);color:var(--wrong)}
.sq.none{background:repeating-linear-gradient(135deg,transparent 0 4px,var(--line) 4px 5px)}
.matrix .scroll{max-height:85vh}
.heat{border-collapse:separate;border-spacing:2px;font-size:12.5px}
.heat th{font-weight:400;background:var(--card)}
.heat thead th,.heat .corner{position:sticky;top:0;z-index:1;background:var(--card)}
.heat thead th{height:150px;padding:0 0 4px;vertical-align:bottom}
.heat thead th span{display:block;margin:0 auto;writing-mode:vertical-rl;transform:rotate(180deg);max-height:220px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.heat tbody th{position:sticky;left:0;text-align:right;padding:0 8px 0 0;white-space:nowrap;max-width:280px;overflow:hidden;text-overflow:ellipsis;z-index:1}
.heat .corner{left:0;z-index:2;vertical-align:bottom;text-align:right;color:var(--soft);font-size:12px;padding:0 8px 4px 0;white-space:nowrap}
.heat td.sq{min-width:27px;width:27px;height:27px;padding:0;border-radius:4px;cursor:default;position:relative}
.heat .leak,.heat .shut,.heat .disputed{outline:2px solid var(--wrong-bg);font-size:16px}
.heat tbody tr:hover th{color:var(--link);font-weight:600}.heat td.sq:hover{box-shadow:inset 0 0 0 2px var(--text)}
.mismatches{margin:6px 0 0;padding-left:22px}.mismatches li{margin:8px 0;overflow-wrap:anywhere}.matrix h3{margin-top:14px}.command{user-select:all;white-space:pre-wrap}
.plot{margin:0 0 12px}.plot figcaption{display:flex;flex-wrap:wrap;gap:2px 12px;align-items:baseline;margin-bottom:8px;overflow-wrap:anywhere}
.plot svg{display:block;width:100%;min-width:720px;height:auto}
.plot text{font-size:12px;fill:var(--text)}.plot .axis{fill:var(--soft);font-variant-numeric:tabular-nums}.plot .heading{font-size:13px;font-weight:600}.plot .heading,.plot .label{paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}.plot .faint{fill:var(--soft);font-weight:400;font-size:11px}
.plot .grid{stroke:var(--grid)}.plot .tick{stroke:var(--none)}.plot .mark{stroke:var(--soft);stroke-dasharray:2 3}
.plot .limit{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:7 4;fill:none}
.plot .line{fill:none;stroke-width:2.4;stroke-linejoin:round;stroke-linecap:round}.plot .leader{fill:none;stroke-width:2}.plot .leader.limit{stroke-width:1.5}
.plot .l0{stroke:var(--l0)}.plot .l1{stroke:var(--l1);stroke-dasharray:6 4}.plot .l2{stroke:var(--l2);stroke-dasharray:1.5 4}.plot .l3{stroke:var(--l3);stroke-dasharray:10 4 2 4}.plot .l4{stroke:var(--l4)}.plot .l5{stroke:var(--l5);stroke-dasharray:3 3}
.words{margin:6px 0 0;padding-left:18px;font-size:13.5px;overflow-wrap:anywhere}
.timeline{padding-right:28px}.ruler,.lane{display:grid;grid-template-columns:270px 1fr;gap:14px}
.ruler .track{grid-column:2;height:22px;position:relative;font-size:12px;color:var(--soft);font-variant-numeric:tabular-nums}.ruler span{position:absolute;transform:translateX(-50%)}.ruler span:first-child{transform:none}
.lane{padding:5px 0;border-top:1px solid var(--line);align-items:center}.lane .name{font-size:13.5px;line-height:1.35;overflow-wrap:anywhere}.lane .name .bar{display:flex;width:100%;height:4px;margin-top:3px}
.lane .track{background-image:linear-gradient(to right,var(--grid) 1px,transparent 1px);align-self:stretch;display:flex;flex-direction:column;justify-content:center;gap:2px}
.timeline .row{position:relative}.row a{position:absolute;top:0;bottom:0;min-width:3px;border-radius:2px;box-shadow:0 0 0 1px var(--card)}
.row .fail,.row .error{z-index:1;min-width:6px;box-shadow:0 0 0 1.5px var(--text)}
.timeline .row a:hover{outline:2px solid var(--text);z-index:2}
.timeline+.legend{margin:0 0 6px}.legend .row{position:static}.legend .row i{display:block;width:18px;height:12px;border-radius:2px}
.slowest ol{margin:4px 0;padding-left:22px;font-size:13.5px;overflow-wrap:anywhere}
.environment{columns:2 480px;column-gap:12px}
.environment>div{break-inside:avoid}
.environment h3{margin:0 0 6px;font-size:14px}.environment dl{display:grid;grid-template-columns:minmax(110px,auto) 1fr;gap:3px 14px;margin:0;font-size:13.5px}
.environment dt{color:var(--soft);overflow-wrap:anywhere}.environment dd{margin:0;overflow-wrap:anywhere;min-width:0}
.environment dl.wide{grid-template-columns:1fr;gap:0}.environment .wide dd{margin-bottom:5px}
@media (max-width:720px){header,main{padding-left:14px;padding-right:14px}h1{font-size:24px}.card{padding:10px 12px}
.criteria thead,.tests thead{display:none}.criteria tr,.tests tr{display:block;border-bottom:1px solid var(--line);padding:8px 0}.criteria tbody tr:last-child,.tests tr:last-child{border-bottom:0}
.criteria td,.tests td{display:block;width:auto!important;border:0;padding:3px 12px}.criteria tbody td:first-child{border-left:0}.criteria tr{border-left:4px solid var(--pass-bar)}.criteria tr.fail{border-left-color:var(--fail-bar)}.criteria tr.error{border-left-color:var(--error-bar)}.criteria tr.not-proven{border-left-color:var(--np-bar)}
.proof ul{display:flex;flex-wrap:wrap;gap:0 14px;color:var(--soft)}
.time{text-align:left!important}.time i{margin-left:0}
.heat tbody th{max-width:128px;padding-right:5px;white-space:normal;overflow-wrap:anywhere;line-height:1.15;font-size:11px}
.lane .name .bar{display:none!important}.heat thead th span{max-height:130px}.heat thead th{height:130px}.timeline{padding-right:18px}.ruler,.lane{grid-template-columns:1fr;gap:3px}.ruler .track{grid-column:1}
}
@media print{:root{--page:#fff}body{zoom:.75}nav{display:none}header,main{max-width:none;padding:0}section{margin:18px 0}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
details::details-content{content-visibility:visible;display:block;block-size:auto}
.scroll,ul.long,.rest,.strip q{overflow:visible;max-height:none!important}
tr,.card.detail,figure,.lane{break-inside:avoid}.heat td.sq{min-width:20px;width:20px;height:20px}.heat{font-size:11px;border-spacing:1px}.plot svg{min-width:0}
.heat thead th,.heat tbody th,.heat .corner{position:static}}
`
