import type { FunctionEntry } from "./function-entry.js";
import { types } from "./type.js";

const getters: Readonly<Record<string, (time: Date) => number>> = {
  getFullYear: (time) => time.getUTCFullYear(),
  getMonth: (time) => time.getUTCMonth(),
  getDate: (time) => time.getUTCDate(),
  getDayOfMonth: (time) => time.getUTCDate() - 1,
  getDayOfWeek: (time) => time.getUTCDay(),
  getHours: (time) => time.getUTCHours(),
  getMinutes: (time) => time.getUTCMinutes(),
  getSeconds: (time) => time.getUTCSeconds(),
};

/**
 * What a timestamp says in UTC, counted as CEL does: months and days of the month from 0, `getDate` from 1.
 */
export const timeFunctions: readonly FunctionEntry[] = [
  ...Object.entries(getters).map(
    ([name, read]): FunctionEntry => ({
      name,
      form: "method",
      parameters: [["timestamp"]],
      result: types.int,
      bind: () => (_, time) => BigInt(read(time as Date)),
    }),
  ),
  {
    name: "timestamp",
    form: "function",
    parameters: [["string"]],
    literals: [0],
    result: types.timestamp,
    bind: ([literal]) => {
      const time = timeOf(literal as string);
      return () => time;
    },
  },
];

/** RFC 3339. */
function timeOf(text: string): Date {
  const form =
    /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$/;
  const time = new Date(form.test(text) ? text : Number.NaN);
  if (Number.isNaN(time.getTime()))
    throw new Error(`\`${text}\` is no time, expected \`2026-01-31T00:00:00Z\``);
  return time;
}
