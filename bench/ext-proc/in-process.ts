import { randomUUID } from "node:crypto";
import type * as Config from "../../src/config/index.js";
import type * as Envoy from "../../src/envoy/index.js";
import type * as Redaction from "../../src/redaction/index.js";
import { loadProtos } from "../../src/server/protos.js";
import { authnOptions } from "../../test/support/authn.js";
import { fastest } from "../micro/fastest.js";
import { benchConfig } from "../policies.js";
import { table } from "../results.js";
import {
  customerDocument,
  customers,
  detecting,
  elsewhere,
  headerRules,
  masking,
  secrets,
} from "./documents.js";
import {
  bodyMode,
  initialMetadata,
  processMethod,
  requestHeadersMessage,
  responseBodyMessage,
  responseHeadersMessage,
} from "./messages.js";
import { POLICIES } from "./targets.js";
import { JSON_BYTES } from "./through-envoy.js";

/** As it is built: what runs the sources for a benchmark makes every function made per request dearer. */
const built = <Module>(name: string): Promise<Module> =>
  import(new URL(`../../dist/${name}.js`, import.meta.url).href) as Promise<Module>;
const { createAssembler, createCatalog } = await built<typeof Config>("config/index");
const { createExchanges, createExtProcService } = await built<typeof Envoy>("envoy/index");
const { compileDetectors, compileJson, createJsonRedactor, parsePath } =
  await built<typeof Redaction>("redaction/index");

/** The best of many short batches in turn, in microseconds. */
export interface InProcess {
  readonly name: string;
  readonly micros: number;
}

/** What a body of 10 MB leaves behind between its pieces, in bytes at the most. */
export interface HeldBack {
  readonly chunkBytes: number;
  readonly masking: number;
  readonly detecting: number;
}

const nothing = (): void => {};
const pause = async (): Promise<void> => {};
const rethrow = (error: unknown): never => {
  throw error;
};

async function assembled(documents: readonly string[]): Promise<Config.Assembled> {
  const text = [...benchConfig(POLICIES), ...documents].join("---\n");
  const files = [{ path: "bench.yaml", text, root: "." }];
  const update = await createCatalog({ pause }).update({ files, diagnostics: [], roots: [] });
  const errors = update.diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join("; "));
  return createAssembler({ pause, providers: () => undefined, ...authnOptions }).apply(update);
}

/** One server without its transport. */
interface Processing {
  /** Runs a stream; how many messages were answered. */
  run(messages: readonly Uint8Array[]): number;
  /** Bytes of bodies that went in and have not come out. */
  readonly behind: () => number;
}

async function processing(...documents: readonly string[]): Promise<Processing> {
  const current = await assembled(documents);
  const exchanges = createExchanges({
    current: () => ({ snapshot: current, bodies: current.bodies }),
    decisionId: randomUUID,
    now: () => performance.now(),
    wallClock: Date.now,
    encodeCheckRequest: loadProtos().check.requestSerialize,
    observe: () => undefined,
    onError: rethrow,
    amend: nothing,
  });
  let answers = 0;
  let behind = 0;
  let mostBehind = 0;
  const service = createExtProcService({
    exchange: exchanges.open,
    observer: {
      opened: nothing,
      received: (_, bytes) => {
        behind += bytes;
      },
      answered: (kind, bytes) => {
        if (kind === "immediate_response") throw new Error("it was refused");
        behind -= bytes;
      },
      violated: rethrow,
      failed: rethrow,
      closed: nothing,
    },
    onError: rethrow,
  });
  const call = {
    send: () => {
      answers += 1;
      return true;
    },
    pause: nothing,
    resume: nothing,
    end: nothing,
    fail: rethrow,
  };
  const metadata = new Map(Object.entries(initialMetadata));
  return {
    run(messages) {
      answers = 0;
      behind = 0;
      mostBehind = 0;
      const stream = service.open(call, metadata);
      for (const message of messages) {
        stream.receive(message);
        mostBehind = Math.max(mostBehind, behind);
      }
      stream.closed();
      return answers;
    },
    behind: () => mostBehind,
  };
}

/** The protocol, policies and redaction by themselves. */
export async function measureInProcess(rounds: number): Promise<InProcess[]> {
  const request = requestHeadersMessage(bodyMode.NONE);
  const head = responseHeadersMessage(JSON_BYTES);
  const text = customerDocument(JSON_BYTES);
  const bytes = Buffer.from(text);
  const pieces = [responseBodyMessage(bytes, false), responseBodyMessage(Buffer.alloc(0), true)];
  const whole = [responseBodyMessage(bytes, true)];
  const continued = { request_headers: {} };
  const runs: Record<string, () => unknown> = {
    "no-op: request headers decoded and CONTINUE encoded by proto-loader": () => {
      processMethod.requestDeserialize(request);
      processMethod.responseSerialize(continued);
    },
  };
  const add = async (name: string, messages: readonly Uint8Array[], ...documents: readonly string[]) => {
    const { run } = await processing(...documents);
    const answers = run(messages);
    runs[`${name} (${answers} answers)`] = () => {
      if (run(messages) !== answers) throw new Error(`${name}: not all was answered at once`);
    };
  };
  await add("Gatehouse: request headers, 10 policies", [request]);
  await add("Gatehouse: the same, a BodyPolicy does not match", [request], elsewhere);
  await add("Gatehouse: request and response headers, header rules", [request, head], headerRules);
  await add("Gatehouse: and 10 KiB masked as they stream", [request, head, ...pieces], masking("streamed"));
  await add("Gatehouse: and whole 10 KiB masked", [request, head, ...whole], masking("whole"));
  await add("Gatehouse: and 10 KiB searched by four detectors", [request, head, ...pieces], detecting);
  addRedactors(runs, bytes);
  const of = fastest(runs, rounds, 40);
  return Object.keys(runs).map((name) => ({ name, micros: of(name) }));
}

function addRedactors(runs: Record<string, () => unknown>, bytes: Uint8Array): void {
  const paths = ["$..customer.card", "$..customer.iban", "$..ssn"];
  const fields = paths.map((name) => {
    const parsed = parsePath(name);
    if (!("steps" in parsed)) throw new Error(parsed.message);
    const mask = { kind: "mask", keepFirst: 0, keepLast: 4, character: "*", replacement: undefined } as const;
    return { name, path: parsed.steps, action: mask };
  });
  const scanners = compileDetectors(
    (["paymentCard", "iban", "email", "secretToken"] as const).map((detector) => ({
      name: detector,
      what: { detector },
      action: "redact" as const,
      replacement: "x",
    })),
  );
  const plans = {
    "three fields": compileJson(fields),
    "four detectors": compileJson([], { scanners }),
    "three fields and four detectors": compileJson(fields, { scanners }),
  };
  for (const [name, plan] of Object.entries(plans)) {
    const redact = (): string => {
      const redactor = createJsonRedactor(plan);
      return Buffer.concat([redactor.push(bytes), redactor.end()]).toString();
    };
    if (redact().includes(secrets[0])) throw new Error(`${name}: nothing was redacted`);
    runs[`redactor: 10 KiB, ${name}`] = () => {
      const redactor = createJsonRedactor(plan);
      redactor.push(bytes);
      redactor.end();
    };
  }
  const text = Buffer.from(bytes);
  runs["JSON.parse and JSON.stringify of the same"] = () =>
    Buffer.from(JSON.stringify(JSON.parse(text.toString())));
}

/** A body of 10 MB piece by piece. */
export async function measureHeldBack(): Promise<HeldBack[]> {
  const fields = await processing(masking("streamed"));
  const detectors = await processing(detecting);
  return [1_000, 65_536, 1 << 20].map((chunkBytes) => {
    const start = [requestHeadersMessage(bodyMode.NONE), responseHeadersMessage(10_000_000)];
    const behind = ({ run, behind: most }: Processing): number => {
      const pieces = Array.from(customers(10_000_000, chunkBytes), (one) => responseBodyMessage(one, false));
      run([...start, ...pieces]);
      return most();
    };
    return { chunkBytes, masking: behind(fields), detecting: behind(detectors) };
  });
}

/** Both. */
export function describeInProcess(results: readonly InProcess[], held: readonly HeldBack[]): string {
  const rows = results.map(({ name, micros }) => [name, micros.toFixed(1)]);
  const heldRows = held.map((one) => [String(one.chunkBytes), String(one.masking), String(one.detecting)]);
  return [
    "Without transport: from the bytes of Envoy's messages to the bytes of the answers; the best of many short batches in" +
      " turn.",
    "",
    table(["what", "µs"], rows),
    "",
    "Of 10 MB the most bytes that had gone in but not come out after a piece.",
    "",
    table(["bytes a piece", "masking three fields", "four detectors"], heldRows),
  ].join("\n");
}
