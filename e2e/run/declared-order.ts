import path from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { suites } from '../suites.ts'

const place = new Map(suites.map(({ name }, index) => [name, index]))

/** Runs suites in the order in which e2e/suites.ts names them: the longest of a lane first, so that none is waited for alone at the end. */
export class DeclaredOrder extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification): number =>
      place.get(path.basename(moduleId, '.e2e.test.ts')) ?? suites.length
    return Promise.resolve(
      files.toSorted(
        (a, b) =>
          a.project.config.sequence.groupOrder - b.project.config.sequence.groupOrder ||
          placeOf(a) - placeOf(b),
      ),
    )
  }
}
