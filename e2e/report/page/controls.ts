import { duration } from '../../harness/look.ts'
import type { ControlRecord, Sighting } from '../../harness/record.ts'
import { markup, type Markup } from './markup.ts'

/** A negative assertion between its controls, side by side, in the order in which they were seen. */
export function controlStrip(entry: ControlRecord): Markup {
  const notes = [
    entry.onsetMs === undefined ? [] : [`set in after ${duration(entry.onsetMs)}`],
    entry.heldMs === undefined ? [] : [`held for ${duration(entry.heldMs)}`],
  ].flat()
  return markup`<figure class="controls"><figcaption>Negative assertion and its controls${entry.cause === undefined ? '' : ` · cause: ${entry.cause}`}</figcaption>
<div class="strip">${sighting('control before', 'control', entry.before)}${sighting(entry.cause === undefined ? 'the negative' : 'under the cause', 'negative', entry.negative, notes.join(', '))}${entry.beside && sighting('control beside', 'control', entry.beside)}${sighting('control after', 'control', entry.after)}</div></figure>`
}

const sighting = (when: string, kind: string, { title, seen }: Sighting, note = ''): Markup =>
  markup`<div class="${kind}${seen === undefined ? ' unseen' : ''}"><b>${when}</b><span>${title}</span><q>${seen ?? 'did not get that far'}</q>${note !== '' && markup`<em>${note}</em>`}</div>`
