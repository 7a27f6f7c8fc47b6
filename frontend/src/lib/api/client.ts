// The API of the server that serves these pages. Responses are typed by its OpenAPI description.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];

export const api = createClient<paths>({ baseUrl: '/' });

/** What the server says of a request that it refused: what happened, and what to do. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string | null,
  ) {
    super(message);
  }

  /** Whether the browser is not signed in, or not any more. */
  get isSignedOut(): boolean {
    return this.status === 401;
  }
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Return the body of a successful response; throw a `Problem` for any other. */
export async function read<T>(request: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await request;
  } catch {
    throw new Problem(
      0,
      'unreachable',
      'The Genlock server does not answer.',
      'Check that it runs: `genlock up`.',
    );
  }
  if (answer.response.ok) return answer.data as T;
  throw problemOf(answer.response.status, answer.error);
}

function problemOf(status: number, body: unknown): Problem {
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Partial<Schemas['Problem']>;
  return new Problem(
    status,
    fields.code ?? 'unknown',
    fields.detail ?? `The server answered ${status}.`,
    fields.hint ?? null,
  );
}
