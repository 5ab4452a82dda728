export { type DoctorFinding, examine } from "./doctor.js";
export type { PolicyFacts } from "./facts.js";
export { fixOf } from "./fixes.js";
