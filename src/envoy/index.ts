export * from "./ext-authz/index.js";
