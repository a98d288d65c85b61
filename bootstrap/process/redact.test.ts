import { describe, expect, it } from 'vitest'
import { redact } from './redact.ts'

describe('redact', () => {
  it.each([
    ['Authorization: Bearer abc.def-ghi', 'Authorization: Bearer [removed]'],
    ['--password=correcthorse', '--password=[removed]'],
    ['"client-key-data": "LS0tLS1CRUdJTg=="', '"client-key-data": "[removed]"'],
    ['token: abcdef.0123456789abcdef', 'token: [removed]'],
    ['https://user:secret@example.test/path', 'https://user:[removed]@example.test/path'],
    [`ghp_${'a'.repeat(36)}`, '[removed]'],
    ['x eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ0ZXN0In0.c2lnbmF0dXJl y', 'x [token removed] y'],
    [
      'a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb',
      'a\n[private key removed]\nb',
    ],
  ])('%j', (text, wanted) => {
    expect(redact(text)).toBe(wanted)
  })

  it.each(['no secrets here', 'http://127.0.0.1:8080/api', 'secretName: slate-tls', '5 tokens'])(
    'leaves %j',
    (text) => {
      expect(redact(text)).toBe(text)
    },
  )
})
