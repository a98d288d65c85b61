#!/usr/bin/env node
import { enter } from './cli/enter.mjs'

await enter('bundle', import.meta.url)
