/** A client of the admin endpoint: one request on a connection of its own. */
import * as http from "node:http"

/** Where it listens. */
export type Where = { readonly port: number } | { readonly socketPath: string }

/** What came back. */
export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

/** Asks; rejects when no answer came. */
export const ask = (where: Where, path: string, options: http.RequestOptions = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", ...where, path, agent: false, ...options }, (response) => {
      let body = ""
      response.setEncoding("utf8")
      response.on("data", (text: string) => body += text)
      response.on("error", reject)
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, body }))
    })
    request.on("error", reject)
    request.end()
  })
