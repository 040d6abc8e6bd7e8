// The command line of the MCP inspector, by itself: node inspector.mjs <the inspector's arguments>
// It reads its version from the package that it usually lies in, for which its own stands in here.
import { register } from 'node:module'

const hook = `export const resolve = (name, context, next) =>
  next(name === '../../package.json' ? '../package.json' : name, context)`
register(`data:text/javascript,${encodeURIComponent(hook)}`)
await import('@modelcontextprotocol/inspector-cli/build/index.js')
