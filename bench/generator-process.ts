import { type ChildProcess, fork } from "node:child_process";

/** A process that does jobs, one after the other. */
export interface GeneratorProcess<Job, Result> {
  /** Rejects when the process ends before it has answered, as it does when something is wrong. */
  run(job: Job): Promise<Result>;
  stop(): void;
}

/** Starts a program that answers each message with one. Its own CPU time counts for nobody. */
export function startGeneratorProcess<Job extends object, Result>(
  program: string,
): GeneratorProcess<Job, Result> {
  const child: ChildProcess = fork(program);
  return {
    run: (job) =>
      new Promise((resolve, reject) => {
        const onExit = (): void => reject(new Error("the load generator ended"));
        child.once("exit", onExit);
        child.once("message", (result) => {
          child.removeListener("exit", onExit);
          resolve(result as Result);
        });
        child.send(job);
      }),
    stop: () => void child.kill(),
  };
}
