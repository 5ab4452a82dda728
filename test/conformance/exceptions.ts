/**
 * Sets where we knowingly answer otherwise than the corpus, by the set's id, each with its reason: a line of
 * Istio's source or a run on a real Envoy. A disagreement that is not here is a bug in ours.
 */
export const exceptions: ReadonlyMap<string, string> = new Map();
