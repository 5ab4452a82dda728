FROM node:22-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY proto proto
COPY src src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:22-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY proto proto
COPY policies policies
# OPA itself, as the Rego compiler.
COPY tools/opa/opa.wasm.br tools/opa/opa.wasm.sha256 tools/opa/
USER node
# Gatehouse listens on loopback unless told otherwise: who can call its port is trusted as an Envoy.
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["serve", "--config", "policies/demo"]
