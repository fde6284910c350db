// Ten calls to a sandbox, from a sign-up to a credit, with nothing but Node's own fetch (Node 18 or newer).
//
//   tsc client.mts && node client.mjs http://127.0.0.1:8431 kz_test_…      (Node 22.18 or newer runs client.mts itself)

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  clause: string | null;
  remedy: string;
  findings: unknown[];
}

export interface Event {
  id: string;
  type: string;
  account: string | null;
  subject: string;
  occurred_at: string;
  recorded_at: string;
  link: string | null;
}

/** What the door says of a call that it does not do: `application/problem+json`. */
export class Refused extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(`${problem.title} ${problem.detail}`);
    this.problem = problem;
  }

  get code(): string {
    return this.problem.type.split("/").at(-1) ?? "";
  }
}

/** A door, and a key that opens it. */
export class Keizoku {
  private readonly base: string;
  private readonly key: string;
  private readonly tries = 5;

  constructor(base: string, key: string) {
    this.base = base;
    this.key = key;
  }

  /** A question; repeated where it got no answer. */
  ask<Answer>(path: string): Promise<Answer> {
    return this.call<Answer>("GET", path, undefined, {});
  }

  /** An act, done once for its key: what got no answer is said again with the same key, which is harmless. */
  act<Answer>(path: string, body: object = {}, key: string = randomUUID()): Promise<Answer> {
    return this.call<Answer>("POST", path, JSON.stringify(body), { "Idempotency-Key": key });
  }

  /** What happened after a cursor, in order, up to now. Keep the id of the last one that you have dealt with. */
  async *events(after: string): AsyncGenerator<Event> {
    for (;;) {
      const page = await this.ask<{ data: Event[] }>(`/v1/events?after=${after}&limit=200`);
      yield* page.data;
      const last = page.data.at(-1);
      if (last === undefined) return;
      after = last.id;
    }
  }

  private async call<Answer>(
    method: string,
    path: string,
    body: string | undefined,
    headers: Record<string, string>,
  ): Promise<Answer> {
    const told = { Authorization: `Bearer ${this.key}`, "Content-Type": "application/json", ...headers };
    for (let attempt = 1; ; attempt += 1) {
      let answer: Response;
      try {
        answer = await fetch(this.base + path, { method, body, headers: told, signal: AbortSignal.timeout(60_000) });
      } catch (error) {
        if (attempt === this.tries) throw error;
        await sleep(2 ** attempt * 500);
        continue;
      }
      if (answer.ok) return (await answer.json()) as Answer;
      const problem = (await answer.json()) as Problem;
      const again = answer.status === 503 || problem.type.endsWith("/idempotency.running");
      if (!again || attempt === this.tries) throw new Refused(problem);
      await sleep(Number(answer.headers.get("Retry-After") ?? "1") * 1000);
    }
  }
}

/** A sign-up, a payment, an outage, a claim, a credit; the account at the end. */
export async function tenCalls(keizoku: Keizoku, account: string): Promise<{ credit_yen: number }> {
  const part = encodeURIComponent(account); // an id may have letters that paths keep for themselves
  await keizoku.act("/v1/applications", { account, plan: "monthly", method: "card" });
  await keizoku.act(`/v1/applications/${part}/approve`);
  const { access } = await keizoku.ask<{ access: boolean }>(`/v1/accounts/${part}/access`);
  const [invoice] = await keizoku.ask<{ state: string }[]>(`/v1/accounts/${part}/invoices`);
  if (!access || invoice?.state !== "paid") throw new Error("the first month is not paid");
  await keizoku.act("/v1/test/clock", { to: "2026-04-16T09:00:00+09:00" });
  const outage = { from_at: "2026-04-15T10:00:00+09:00", to_at: "2026-04-15T18:00:00+09:00", affected: 500 };
  await keizoku.act("/v1/incidents", { ...outage, ground: "status page" });
  await keizoku.act("/v1/test/clock", { to: "2026-05-02T09:00:00+09:00" });
  await keizoku.act("/v1/claims", { account, month: "2026-04" }, `claim-${account}-2026-04`);
  await keizoku.act("/v1/test/clock", { days: 1 });
  return (await keizoku.ask<{ state: { credit_yen: number } }>(`/v1/accounts/${part}`)).state;
}

async function main(base: string, key: string): Promise<void> {
  const door = new Keizoku(base, key);
  console.log(`credit: ${(await tenCalls(door, "u2001")).credit_yen} yen`);
  try {
    await door.act("/v1/contracts/nobody/end-of-use");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    console.log(`refused: ${error.problem.status} ${error.code}`);
  }
  const types: string[] = [];
  for await (const each of door.events("0-0")) if (each.account === "u2001") types.push(each.type);
  console.log(`events of u2001: ${types.join(", ")}`);
}

await main(process.argv[2] ?? "", process.argv[3] ?? "");
