// A browser's EventSource, as undici has it: prints what it hears, one JSON object a line, until it is ended.
import { EventSource } from 'undici'

const NAMES = ['hello', 'reset', 'item', 'ready', 'presence', 'answer', 'reauth', 'bye', 'revoked', 'message']
const print = (heard) => process.stdout.write(JSON.stringify(heard) + '\n')

const source = new EventSource(process.argv[2])
for (const name of NAMES) {
  source.addEventListener(name, ({ data, lastEventId }) => print({ name, id: lastEventId, data }))
}
source.addEventListener('open', () => print({ name: 'open' }))
source.addEventListener('error', () => print({ name: 'error', closed: source.readyState === EventSource.CLOSED }))

process.stdin.resume() // its timer for reconnecting does not keep Node alive
