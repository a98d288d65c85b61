#!/usr/bin/env node
import { enter } from './cli/enter.mjs'

await enter('logs', import.meta.url)
