import { startEphemeralCluster } from 'local-cloud/ephemeral'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    kubeconfig: string
  }
}

/** One cluster for every test of the project, gone when the last of them has ended. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cluster = await startEphemeralCluster()
  project.provide('kubeconfig', cluster.kubeconfig)
  return () => cluster.stop()
}
