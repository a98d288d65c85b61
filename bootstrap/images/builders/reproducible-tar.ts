/** Options of GNU tar that make an archive depend on the files alone (https://reproducible-builds.org/docs/archives/). */
export const reproducibleTar = [
  '--sort=name',
  '--mtime=@0',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
] as const
