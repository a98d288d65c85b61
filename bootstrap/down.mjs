#!/usr/bin/env node
import { enter } from './cli/enter.mjs'

await enter('down', import.meta.url)
