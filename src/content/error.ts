/** What is wrong with a body: closed, so that callers can count it. */
export type ContentErrorCode =
  | "bad_json"
  | "bad_query"
  | "bad_media_type"
  | "bad_multipart"
  | "bad_frame"
  | "bad_message"
  | "bad_descriptors"
  | "too_deep"
  | "too_many";

/** The only error that decoding throws, whatever the bytes are. */
export class ContentError extends Error {
  override readonly name = "ContentError";
  readonly code: ContentErrorCode;

  constructor(code: ContentErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
