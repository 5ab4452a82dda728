/** Where in a number (RFC 8259, section 6) a reader stands. */
export type NumberPart = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** Of its first byte, a digit or minus. */
export function beginNumber(byte: number): NumberPart {
  return byte === 0x2d ? 0 : byte === 0x30 ? 1 : 2;
}

/** Where the byte leads to, -1 when it is no part of the number. */
export function nextPart(part: NumberPart, byte: number): NumberPart | -1 {
  const isDigit = byte >= 0x30 && byte <= 0x39;
  const isExponent = byte === 0x65 || byte === 0x45;
  switch (part) {
    case 0: // minus
      return isDigit ? (byte === 0x30 ? 1 : 2) : -1;
    case 1: // a zero in front
      return byte === 0x2e ? 3 : isExponent ? 5 : -1;
    case 2: // digits
      return isDigit ? 2 : byte === 0x2e ? 3 : isExponent ? 5 : -1;
    case 3: // point
      return isDigit ? 4 : -1;
    case 4: // digits behind it
      return isDigit ? 4 : isExponent ? 5 : -1;
    case 5: // e
      return isDigit ? 7 : byte === 0x2b || byte === 0x2d ? 6 : -1;
    case 6: // its sign
    case 7: // its digits
      return isDigit ? 7 : -1;
  }
}

/** Whether a number may end there. */
export function isWholeNumber(part: NumberPart): boolean {
  return part === 1 || part === 2 || part === 4 || part === 7;
}

/** How else the number can be written: as an integer when it has a fraction or exponent and is one. */
export function integerText(number: string): string | undefined {
  if (!/[.eE]/.test(number)) return undefined;
  const value = Number(number);
  return Number.isSafeInteger(value) ? String(value) : undefined;
}
