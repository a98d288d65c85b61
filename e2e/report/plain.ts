/** Text without the colours of terminals and without the control characters that neither HTML, XML nor a terminal should get. */
export const plain = (text: string): string =>
  text.replaceAll(/\u001b\[[0-9;]*[A-Za-z]|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]/g, '')
