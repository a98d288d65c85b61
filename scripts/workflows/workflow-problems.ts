import { jobProblems } from './ci-job.ts'
import type { Project } from './command-problem.ts'
import { readGithubWorkflow } from './github-workflow.ts'
import { readGitlabPipeline } from './gitlab-pipeline.ts'

/**
 * Everything that is wrong with a workflow of GitHub or a pipeline of GitLab, which its name tells apart, before it has run anywhere: its schema, its rules,
 * and, when those are kept, what its jobs run.
 */
export async function workflowProblems(file: string, text: string, project: Project): Promise<string[]> {
  const { problems, jobs } = /gitlab-ci\.yml$/.test(file)
    ? await readGitlabPipeline(text)
    : await readGithubWorkflow(file, text)
  return problems.length > 0 ? [...problems] : jobs.flatMap((job) => jobProblems(job, project))
}
