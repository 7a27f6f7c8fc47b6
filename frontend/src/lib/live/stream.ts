// Read server-sent events (WHATWG HTML, 9.2) with fetch: unlike EventSource it delivers events of every name.

/** Split text that arrives in pieces into the `data` of complete events. Comments and other fields are left out. */
export class EventParser {
  #rest = '';

  /** Return the data of the events that `text` completes. */
  push(text: string): string[] {
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks
      .map((block) =>
        block
          .split('\n')
          .filter((line) => line.startsWith('data:'))
          .map((line) => line.slice(5).trimStart())
          .join('\n'),
      )
      .filter((data) => data !== '');
  }
}

/** Call `onOpen`, then `onData` for each event, until the server ends the stream. Throw if it cannot begin. */
export async function readEvents(
  url: string,
  onOpen: () => void,
  onData: (data: string) => void,
): Promise<void> {
  const response = await fetch(url, { headers: { Accept: 'text/event-stream' } });
  if (!response.ok || response.body === null)
    throw new Error(`The event stream answered ${response.status}.`);
  onOpen();
  const parser = new EventParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    for (const data of parser.push(part.value)) onData(data);
  }
}
