#!/usr/bin/env node
import { enter } from './cli/enter.mjs'

await enter('status', import.meta.url)
