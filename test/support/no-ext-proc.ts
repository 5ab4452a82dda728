import type { ExtProcService } from "../../src/envoy/index.js";

/** What a transport has where no test lets it process requests. */
export const noExtProc: ExtProcService = {
  open: () => {
    throw new Error("no processing in this test");
  },
  refuse: () => {
    throw new Error("no processing in this test");
  },
  streams: () => 0,
  failAll: () => {},
};
