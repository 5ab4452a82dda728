import { afterAll, beforeAll, describe } from "vitest";
import { additionSentences } from "./counter-store-additions.js";
import { chargeSentences } from "./counter-store-charges.js";
import { debitSentences } from "./counter-store-debits.js";
import type { StoreUnderTest, Subject } from "./counter-store-subject.js";
import { timeSentences } from "./counter-store-time.js";

/** A store that the suite runs against. */
export interface StoreKind {
  readonly name: string;
  /** Started once, closed once; every test has keys of its own. */
  readonly create: () => StoreUnderTest | Promise<StoreUnderTest>;
  /**
   * What it cannot do. `chargeAcrossGroups`: charge several groups at once. `addExactly`: keep hits above 2^53. `manyKeys`: be
   * asked thousands of times in a test. `nameGroups`: tell additions of one name in two groups apart. `stopTime`: count by a
   * clock that stands still.
   */
  readonly cannot?: readonly ("chargeAcrossGroups" | "addExactly" | "manyKeys" | "nameGroups" | "stopTime")[];
}

/** Says what every CounterStore does, in the same sentences for each. */
export function describeCounterStore(kind: StoreKind): void {
  describe(`the ${kind.name} counter store`, () => {
    let subject: StoreUnderTest | undefined;
    beforeAll(async () => {
      subject = await kind.create();
    });
    afterAll(async () => {
      await subject?.store.close();
    });
    const under: Subject = () => {
      if (subject === undefined) throw new Error("the store was not started");
      return subject;
    };
    const can = (what: string): boolean => !(kind.cannot ?? []).some((one) => one === what);
    chargeSentences(under, can);
    debitSentences(under, can);
    timeSentences(under);
    additionSentences(under, can);
  });
}
