// One event stream for all tabs of a browser: it allows six connections to a host, and tabs would use them up.
//
//   the tab that holds the lock ◀── event stream ── server
//             └── BroadcastChannel ──▶ all tabs
//
// Events are hints: a page that one concerns loads again. A new leader continues after the last event that any tab has
// seen, so that nothing is missed in between.
import type { Schemas } from '#lib/api/client.ts';
import { readEvents } from './stream.ts';

export type LiveEvent = Schemas['Event'];
type Message = { event: LiveEvent } | { state: State };
type State = 'live' | 'reconnecting';
type Listener = (event: LiveEvent) => void;
type Concerns = (event: LiveEvent) => boolean;

const CHANNEL = 'genlock-events';
const PAUSE_MS = 2000;
const COALESCED_MS = 300; // many events come together

class Live {
  state = $state<State>('reconnecting');
  #listeners = new Set<Listener>();
  #lastId: number | null = null;
  #channel: BroadcastChannel | null = null;

  /** Begin to follow the events; a second call does nothing. */
  start(): void {
    if (this.#channel !== null) return;
    this.#channel = new BroadcastChannel(CHANNEL);
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#receive(data);
    if (navigator.locks === undefined) {
      void this.#follow(); // without a secure context there are no locks: each tab has its own stream
    } else {
      void navigator.locks.request(CHANNEL, () => this.#follow());
    }
  }

  /** Call `listener` for each event until the returned function is called. */
  on(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Call `action` once after events that concern the page, until the returned function is called. */
  after(action: () => void, concerns: Concerns = () => true): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = this.on((event) => {
      if (!concerns(event)) return;
      clearTimeout(timer);
      timer = setTimeout(action, COALESCED_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }

  async #follow(): Promise<never> {
    for (;;) {
      const after = this.#lastId === null ? '' : `?after=${this.#lastId}`;
      try {
        await readEvents(
          `/api/v1/events/stream${after}`,
          () => this.#send({ state: 'live' }),
          (data) => this.#send({ event: JSON.parse(data) as LiveEvent }),
        );
      } catch {
        // The server is away, or the session has ended: the next request of a page says which.
      }
      this.#send({ state: 'reconnecting' });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  #send(message: Message): void {
    this.#channel?.postMessage(message);
    this.#receive(message);
  }

  #receive(message: Message): void {
    if ('state' in message) {
      this.state = message.state;
      return;
    }
    this.state = 'live';
    this.#lastId = Math.max(this.#lastId ?? 0, message.event.id);
    for (const listener of this.#listeners) listener(message.event);
  }
}

export const live = new Live();
