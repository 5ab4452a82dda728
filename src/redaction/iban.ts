import type { ByteString } from "../attributes/index.js";
import { byteBefore, type Detector, isAlphanumeric, isDigit, seeking, undecided } from "./detector.js";

/** Characters of an IBAN by its country: the registry of ISO 13616, release 100. Territories use their country's code. */
export const ibanLengths: ReadonlyMap<string, number> = new Map(
  (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 " +
    "EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 " +
    "IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 " +
    "NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 " +
    "SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
  )
    .split(" ")
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** The longest and the spaces between its groups of four. */
const longest = Math.max(...ibanLengths.values()) + 8;

function ibanAt(text: ByteString, at: number, final: boolean): number {
  if (isAlphanumeric(byteBefore(text, at))) return 0;
  let total = 0;
  let count = 0;
  let spaced = false;
  let rest = 0;
  let head = 0;
  for (let i = at; ; i++) {
    if (i >= text.length && !final) return undecided;
    const byte = i < text.length ? text.charCodeAt(i) : -1;
    if (count === total && count > 0) {
      // The first four characters count last: ISO 13616, MOD 97-10 of ISO/IEC 7064.
      return !isAlphanumeric(byte) && (rest * 1_000_000 + head) % 97 === 1 ? i - at : 0;
    }
    if (byte === 32 && count > 0 && count % 4 === 0 && (spaced || count === 4)) {
      spaced = true;
      if (text.charCodeAt(i - 1) === 32) return 0;
      continue;
    }
    if (spaced && count % 4 === 0 && text.charCodeAt(i - 1) !== 32) return 0;
    const digit = isDigit(byte);
    if (!digit && (byte < 65 || byte > 90)) return 0;
    const value = digit ? byte - 48 : byte - 55;
    if (count < 4) {
      if (digit !== count >= 2) return 0;
      head = head * (digit ? 10 : 100) + value;
    } else rest = (rest * (digit ? 10 : 100) + value) % 97;
    count++;
    if (count === 2) {
      total = ibanLengths.get(text.slice(at, at + 2)) ?? 0;
      if (total === 0) return 0;
    }
  }
}

/** Bank accounts of ISO 13616, in capitals, together or in groups of four with a space between. */
export const iban: Detector = seeking(longest + 1, "(?<![0-9A-Za-z])[A-Z][A-Z][0-9][0-9]", 4, ibanAt);
