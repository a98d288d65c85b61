/** Style of the report page. Verdicts differ by word and shape as well as by colour; contrast is at least 4.5:1 in both schemes. */
export const style = `
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--line:#dde1e7;--text:#1b2430;--soft:#566173;
--pass:#116b3a;--pass-bg:#e3f4ea;--fail:#a8181f;--fail-bg:#fde8e8;--error:#8a3ab0;--error-bg:#f5e9fb;--np:#7a5200;--np-bg:#fff1d0;--none:#8a93a1}
@media (prefers-color-scheme:dark){:root{--page:#12161c;--card:#1b212a;--line:#303946;--text:#e7ebf1;--soft:#a3aebd;
--pass:#6fd69b;--pass-bg:#12311f;--fail:#ff9a9a;--fail-bg:#3d1618;--error:#dca6f5;--error-bg:#33183f;--np:#ffcf6b;--np-bg:#3a2a06;--none:#778293}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
header,main{max-width:1120px;margin:0 auto;padding:0 24px}
header{padding-top:32px;padding-bottom:20px}
.eyebrow{margin:0;color:var(--soft);letter-spacing:.04em;font-size:13px}
h1{margin:6px 0 4px;font-size:30px;line-height:1.2;letter-spacing:-.01em;padding-left:14px;border-left:6px solid var(--pass)}
header.fail h1{border-color:var(--fail)}header.not-proven h1{border-color:var(--np)}
.when{margin:6px 0 18px;color:var(--soft)}
code,pre,q,.facts dd,.environment dd{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:13px}
.totals{list-style:none;display:flex;flex-wrap:wrap;gap:10px;margin:0;padding:0}
.totals li{padding:8px 16px;border-radius:8px;border:1px solid var(--line);background:var(--card)}
.totals b{font-size:20px;margin-right:4px}
.totals .pass b{color:var(--pass)}.totals .fail b{color:var(--fail)}.totals .error b{color:var(--error)}.totals .not-proven b{color:var(--np)}
.totals .none,.totals .none b{color:var(--none)}
section{margin:28px 0}
h2{font-size:19px;margin:0 0 10px}
small{color:var(--soft);font-weight:400;font-size:13px}
.chip{display:inline-block;padding:1px 9px;border-radius:999px;font-size:12.5px;font-weight:600;white-space:nowrap}
.chip.pass{color:var(--pass);background:var(--pass-bg)}.chip.fail{color:var(--fail);background:var(--fail-bg)}
.chip.error{color:var(--error);background:var(--error-bg)}.chip.not-proven{color:var(--np);background:var(--np-bg)}
.detail{background:var(--card);border:1px solid var(--line);border-left-width:5px;border-radius:8px;padding:12px 16px;margin:0 0 10px}
.detail.fail{border-left-color:var(--fail)}.detail.error{border-left-color:var(--error)}.detail.not-proven{border-left-color:var(--np)}
.detail h3{margin:0;font-size:16px}.reason{margin:6px 0 0;overflow-wrap:anywhere;white-space:pre-wrap}.reason.more{color:var(--soft)}
details{margin-top:6px}summary{cursor:pointer;color:var(--soft)}pre{overflow:auto;margin:6px 0 0;padding:10px;background:var(--page);border-radius:6px}
table.tests{width:100%;table-layout:fixed;border-collapse:collapse;background:var(--card);border:1px solid var(--line);border-radius:8px;overflow:hidden}
.tests th{font-size:12.5px;text-align:left;color:var(--soft);font-weight:600;padding:8px 14px;border-bottom:1px solid var(--line)}
.tests td{padding:10px 14px;vertical-align:top;border-bottom:1px solid var(--line)}
.tests tr:last-child td{border-bottom:0}.tests th:first-child{width:130px}
.title{font-weight:500}.parent{color:var(--soft);font-weight:400}
th.time{width:130px}.time{text-align:right!important;white-space:nowrap;font-variant-numeric:tabular-nums;color:var(--soft)}
.time i{display:block;height:3px;border-radius:2px;background:var(--none);margin:5px 0 0 auto;opacity:.6}
.facts{display:flex;flex-wrap:wrap;gap:2px 20px;margin:4px 0 0;font-size:13px}.facts div{display:flex;gap:6px;min-width:0}
.facts dt{color:var(--soft)}.facts dd{margin:0;overflow-wrap:anywhere}
.controls{margin:10px 0 4px}.controls figcaption{font-size:12.5px;color:var(--soft);margin-bottom:5px}
.strip{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:8px}
.strip>div{border:1px solid var(--line);border-radius:8px;padding:8px 10px;display:flex;flex-direction:column;gap:2px;min-width:0;font-size:13px;border-top:3px solid var(--pass)}
.strip>.negative{border-top-color:var(--np)}.strip>.unseen{border-top-color:var(--none);color:var(--soft)}
.strip b{font-size:12px;color:var(--soft);font-weight:600}.strip q{quotes:none;overflow-wrap:anywhere;max-height:11em;overflow:auto}.strip em{font-style:normal;color:var(--soft);font-size:12px}
.environment{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:12px}
.environment>div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 16px}
.environment h3{margin:0 0 6px;font-size:14px}.environment dl{display:grid;grid-template-columns:minmax(90px,auto) 1fr;gap:3px 14px;margin:0;font-size:13.5px}
.environment dt{color:var(--soft)}.environment dd{margin:0;overflow-wrap:anywhere}
@media (max-width:640px){header,main{padding-left:14px;padding-right:14px}h1{font-size:24px}
.tests thead{display:none}.tests tr{display:block;border-bottom:1px solid var(--line);padding:6px 0}.tests td{display:block;width:auto!important;border:0;padding:3px 12px}.time{text-align:left!important}.time i{margin-left:0}}
@media print{body{background:#fff}details{display:none}}
`
