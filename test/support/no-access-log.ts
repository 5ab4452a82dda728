import type { AccessLogReceiver } from "../../src/server/grpc-access-log.js";

/** What a transport has where no test streams access logs. */
export const noAccessLog: AccessLogReceiver = {
  open: () => {
    throw new Error("no access logs in this test");
  },
};
