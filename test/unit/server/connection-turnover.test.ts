import { expect, it } from "vitest";
import { createTurnover } from "../../../src/server/connection-turnover.js";

it("asks for another connection once, before nghttp2 takes resets for an attack, and refuses no stream", () => {
  const sent: (readonly [number, number])[] = [];
  const session = { destroyed: false, goaway: (code: number, last: number) => void sent.push([code, last]) };
  const count = createTurnover();
  for (let stream = 1; stream < 800; stream++) count(session);
  expect(sent).toEqual([]);
  for (let stream = 0; stream < 500; stream++) count(session);
  expect(sent).toEqual([[0, 2 ** 31 - 1]]);
});

it("counts each connection by itself, and nothing where there is none", () => {
  let sent = 0;
  const session = () => ({ destroyed: false, goaway: () => void sent++ });
  const [one, other] = [session(), session()];
  const count = createTurnover();
  for (let stream = 0; stream < 799; stream++) for (const it of [one, other, undefined]) count(it);
  expect(sent).toBe(0);
});
