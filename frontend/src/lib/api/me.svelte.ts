// Who is signed in.
import { api, Problem, read, type Schemas } from './client.ts';

class Me {
  actor = $state.raw<Schemas['Actor'] | null>(null);
  signedOut = $state(false);
  error = $state.raw<unknown>(null);

  /** Whether the person may change anything. */
  get canWrite(): boolean {
    return this.actor !== null && this.actor.role !== 'viewer';
  }

  load = async (): Promise<void> => {
    try {
      this.actor = await read(api.GET('/api/v1/me'));
      this.signedOut = false;
      this.error = null;
    } catch (error) {
      this.actor = null;
      this.signedOut = error instanceof Problem && error.isSignedOut;
      this.error = this.signedOut ? null : error;
    }
  };
}

export const me = new Me();
