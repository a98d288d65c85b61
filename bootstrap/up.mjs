#!/usr/bin/env node
import { enter } from './cli/enter.mjs'

await enter('up', import.meta.url)
