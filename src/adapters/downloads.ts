import type { Downloaded, DownloadReference, Egress } from "../config/index.js";
import { createHttpClient, type HttpAnswer, type HttpClient, originOf } from "./http.js";
import { failureReason } from "./http-failure.js";

/** Keeps what documents name by URL up to date. */
export interface Downloads {
  /**
   * What the URLs gave last (port `References.downloads`). URLs that were not named before are asked at once, those that
   * are not named any more never again.
   */
  readonly follow: (named: readonly DownloadReference[], egress: Egress) => readonly Downloaded[];
  /** Something that is followed was not tried yet. */
  isWaiting(): boolean;
  /** Resolves when everything that is followed was tried once, after `withinMs` in any case. */
  settled(withinMs: number): Promise<void>;
  close(): void;
}

interface DownloadsOptions {
  /** Something that is followed gave something else, or failed otherwise than before. */
  readonly onChange: () => void;
  readonly clientOf?: (egress: Egress) => Pick<HttpClient, "send" | "close">;
}

interface Followed {
  readonly url: string;
  readonly now: () => Downloaded;
  readonly etag: () => string | undefined;
  readonly tried: Promise<void>;
  readonly isTried: () => boolean;
  readonly stop: () => void;
}

const nothing = new Uint8Array();
/** So often an answer may say that nothing changed before all is asked for anew: an ETag may belong to another text. */
const UNCHANGED_IN_A_ROW = 20;
/** After a failure, at most so long. */
const RETRY_MS = 10_000;

/** Makes downloads that follow nothing yet. Answers are asked for with the ETag of the last (RFC 9110 section 13.1.2). */
export function createDownloads({ onChange, clientOf }: DownloadsOptions): Downloads {
  const open = clientOf ?? ((egress: Egress) => createHttpClient({ egress }));
  const followed = new Map<string, Followed>();
  return {
    follow(named, egress) {
      const wanted = new Map(named.map((one) => [JSON.stringify([one, egress]), one]));
      const left = new Map<string, Followed>();
      for (const [key, one] of followed) {
        if (wanted.has(key)) continue;
        one.stop();
        followed.delete(key);
        left.set(one.url, one);
      }
      for (const [key, one] of wanted) {
        if (!followed.has(key))
          followed.set(key, follow(one, { client: open(egress), onChange, before: left.get(one.url) }));
      }
      return named.map((one) => {
        const known = followed.get(JSON.stringify([one, egress]));
        return known?.now() ?? { text: "", failure: undefined };
      });
    },
    isWaiting: () => [...followed.values()].some(({ isTried }) => !isTried()),
    async settled(withinMs) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, withinMs);
      });
      await Promise.race([late, Promise.all([...followed.values()].map(({ tried }) => tried))]);
      clearTimeout(timer);
    },
    close() {
      for (const { stop } of followed.values()) stop();
      followed.clear();
    },
  };
}

interface Following extends Pick<DownloadsOptions, "onChange"> {
  readonly client: Pick<HttpClient, "send" | "close">;
  /** Who followed the same URL in another way: what it has holds on, or an edit of an interval would take it away. */
  readonly before: Followed | undefined;
}

function follow(
  { url, pollMs, timeoutMs, maxBytes }: DownloadReference,
  { client, onChange, before: other }: Following,
): Followed {
  let now: Downloaded = { text: other?.now().text ?? "", failure: undefined };
  let etag = other?.etag();
  let unchanged = 0;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let isTried = false;

  const ask = async (): Promise<void> => {
    const before = now;
    try {
      const { pathname, search } = new URL(url);
      const headers = new Map([["user-agent", "gatehouse"]]);
      if (etag !== undefined && unchanged < UNCHANGED_IN_A_ROW) headers.set("if-none-match", etag);
      const origin = originOf(new URL(url));
      const path = `${pathname}${search}`;
      const answer = await client.send({
        origin,
        method: "GET",
        path,
        headers,
        body: nothing,
        timeoutMs,
        maxBytes,
      });
      now = take(answer, before);
    } catch (error) {
      now = { ...before, failure: failureReason(error).replaceAll("_", " ") };
    }
    isTried = true;
    if (stopped) return;
    timer = setTimeout(() => void ask(), now.failure === undefined ? pollMs : Math.min(pollMs, RETRY_MS));
    if (now.text !== before.text || now.failure !== before.failure) onChange();
  };

  const take = ({ status, headers, body }: HttpAnswer, before: Downloaded): Downloaded => {
    if (status === 304 && etag !== undefined) {
      unchanged++;
      return { text: before.text, failure: undefined };
    }
    unchanged = 0;
    if (status !== 200) return { text: before.text, failure: `status ${status}` };
    if (body.length === 0) return { text: before.text, failure: "empty answer" };
    etag = headers.find(([name]) => name === "etag")?.[1];
    const text = body.toString("base64");
    // The same string object tells everyone behind that nothing changed.
    return { text: text === before.text ? before.text : text, failure: undefined };
  };

  return {
    url,
    now: () => now,
    etag: () => etag,
    tried: ask(),
    isTried: () => isTried,
    stop() {
      stopped = true;
      clearTimeout(timer);
      void client.close();
    },
  };
}
