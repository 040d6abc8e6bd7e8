// A certified OpenID provider of its own. It prints its issuer. Each line on stdin is the callback of its clients: it then
// has new keys, and prints "ready". Whoever signs in types the claims about himself, as a query string.

import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Provider } from "oidc-provider";

console.info = console.warn = () => {}; // how it is set up here is right for tests only, which it says at length

const ALGORITHMS = {
  RS256: ["rsa", { modulusLength: 2048 }],
  ES256: ["ec", { namedCurve: "P-256" }],
  EdDSA: ["ed25519", undefined],
};

function key(alg) {
  const { privateKey } = generateKeyPairSync(...ALGORITHMS[alg]);
  return { ...privateKey.export({ format: "jwk" }), alg, use: "sig", kid: randomUUID() };
}

function account(_, id) {
  const typed = Object.fromEntries(new URLSearchParams(id));
  const verified = typed.email_verified === "true";
  return { accountId: id, claims: () => ({ sub: id, ...typed, email_verified: verified }) };
}

function provider(issuer, callback) {
  return new Provider(issuer, {
    clients: Object.keys(ALGORITHMS).map((alg) => ({
      client_id: alg,
      client_secret: `secret of ${alg} & co`,
      redirect_uris: [callback],
      id_token_signed_response_alg: alg,
    })),
    enabledJWA: { idTokenSigningAlgValues: Object.keys(ALGORITHMS) },
    jwks: { keys: Object.keys(ALGORITHMS).map(key) },
    cookies: { keys: ["of no worth"] },
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    findAccount: account,
    pkce: { required: () => true },
  });
}

let handle = (_, response) => response.writeHead(503).end();
const server = createServer((request, response) => handle(request, response)).listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  createInterface({ input: process.stdin }).on("line", (callback) => {
    handle = provider(issuer, callback).callback();
    console.log("ready");
  });
  console.log(issuer);
});
