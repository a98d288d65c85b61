// A suite that does not load on purpose, for the test of the reporter.
throw new Error('a file that does not load')
