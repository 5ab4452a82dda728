import type { Answer } from "./store.js";

/** What `next` makes of an answer: at once, and throwing, where the answer is there. */
export function after<Value, Next>(
  answer: Answer<Value>,
  next: (value: Value) => Answer<Next>,
): Answer<Next> {
  return answer instanceof Promise ? answer.then(next) : next(answer);
}
