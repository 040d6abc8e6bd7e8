// Reads an event stream on stdin in pieces of the given size with eventsource-parser; prints the events as JSON.
import { createParser } from 'eventsource-parser'

const size = Number(process.argv[2])
const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const bytes = Buffer.concat(chunks)

const events = []
const errors = []
const decoder = new TextDecoder('utf-8', { fatal: true })
const parser = createParser({
  onEvent: ({ event, id, data }) => events.push({ name: event, id, data }),
  onError: (error) => errors.push(String(error))
})
for (let at = 0; at < bytes.length; at += size) {
  parser.feed(decoder.decode(bytes.subarray(at, at + size), { stream: true }))
}
process.stdout.write(JSON.stringify({ events, errors }))
