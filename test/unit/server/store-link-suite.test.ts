import { createMemoryStore } from "../../../src/quota/index.js";
import { hostStore } from "../../../src/server/store-host.js";
import { createStoreLink } from "../../../src/server/store-link.js";
import { describeCounterStore } from "../../support/counter-store-suite.js";
import { createLinePair } from "../../support/line-pair.js";

let time = 1_700_000_000_000;

describeCounterStore({
  name: "linked",
  create() {
    const lines = createLinePair();
    hostStore({
      link: lines.far,
      store: createMemoryStore({ now: () => time }),
      onError(error) {
        throw error;
      },
    });
    const store = createStoreLink({
      link: lines.near,
      now: () => 0,
      schedule: () => () => {},
      soon(callback) {
        setImmediate(() => {
          callback();
          lines.deliver();
        });
      },
    });
    return {
      store,
      now: () => time,
      pass: async (ms) => {
        time += ms;
      },
    };
  },
});
