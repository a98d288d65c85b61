#!/usr/bin/env node
import { enter } from './cli/enter.mjs'

await enter('doctor', import.meta.url)
