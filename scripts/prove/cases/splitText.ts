/** Text whose characters arrive in two chunks: each line is cut once, in front of each of its bytes in turn. */
import type { Case } from "../Case.ts"
import { Client } from "../Client.ts"

/** Characters of one to four bytes in UTF-8. */
const text = "你好，世界！🚀 中文行情 ¥ 1,234.50 é 😀 港口⚓"

export const splitText: Case = {
  name: "split-text",
  title: "Chinese and emoji, split between chunks",
  run: async (server) => {
    const line = Buffer.from(`${text}\n`)
    const reply = Buffer.from(`echo: ${text}\n`)
    const client = await Client.open(server.port)
    const other = await Client.open(server.port)
    let split = 0
    let wrong = 0
    for (let cut = 1; cut < line.length; cut++) {
      const from = client.received
      client.send(line.subarray(0, cut))
      // Whoever answers somebody else has read what came before that: the pieces are chunks of their own.
      if (!await other.ask("next")) return "others were not served"
      client.send(line.subarray(cut))
      const answered = await client.until(() => client.bytes.includes("\n", from))
      if ((line[cut]! & 0b1100_0000) === 0b1000_0000) split++ // a byte that continues a character
      if (!client.bytes.subarray(from).equals(reply)) wrong++
      if (!answered) return "a line was not answered"
    }
    client.close()
    other.close()
    if (wrong === 0) return "ok"
    return wrong > split ? `${wrong} of ${line.length - 1} lines wrong` : `${wrong} of ${split} split characters wrong`
  },
}
