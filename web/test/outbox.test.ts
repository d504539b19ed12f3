import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../src/lib/api';
import { Outbox, type Batch, type Shelf } from '../src/lib/sort/outbox.svelte';

class Memory implements Shelf {
  kept = new Map<string, string>();
  getItem = (key: string) => this.kept.get(key) ?? null;
  setItem = (key: string, value: string) => void this.kept.set(key, value);
}
const batch = (id: string, n = 1): Batch => ({
  id, projectId: 1, targetIds: Array.from({ length: n }, (_, place) => place), taxonIds: Array.from({ length: n }, () => 5),
  qualification: 'V', words: id, before: [],
});

describe('the outbox', () => {
  let shelf: Memory;
  beforeEach(() => {
    shelf = new Memory();
    vi.useFakeTimers();
  });

  it('sends in order and forgets what has arrived', async () => {
    const sent: string[] = [];
    const outbox = new Outbox('k', { send: async (one) => void sent.push(one.id), undo: async () => undefined }, undefined, shelf);
    outbox.add(batch('a'));
    outbox.add(batch('b'));
    await vi.runAllTimersAsync();
    expect(sent).toEqual(['a', 'b']);
    expect([outbox.unsaved, shelf.getItem('k')]).toEqual([0, '[]']);
  });

  it('keeps what could not be sent through a closed tab and sends it with growing pauses', async () => {
    let away = true;
    const sent: string[] = [];
    const wire = {
      send: async (one: Batch) => {
        if (away) throw new ApiError(0, 'away');
        sent.push(one.id);
      },
      undo: async () => undefined,
    };
    const first = new Outbox('k', wire, undefined, shelf);
    first.add(batch('a', 3));
    await vi.advanceTimersByTimeAsync(2000);
    expect([first.offline, first.unsaved, first.words]).toEqual([true, 3, 'Offline: 3 changes kept in this browser']);
    first.stop();
    const second = new Outbox('k', wire, undefined, shelf);
    expect(second.unsaved).toBe(3);
    away = false;
    await second.flush();
    expect([sent, second.unsaved, second.offline]).toEqual([['a'], 0, false]);
  });

  it('lists what the server refuses and goes on with the next', async () => {
    const sent: string[] = [];
    const told: string[] = [];
    const wire = {
      send: async (one: Batch) => {
        if (one.id === 'a') throw new ApiError(403, 'You may not.');
        sent.push(one.id);
      },
      undo: async () => undefined,
    };
    const outbox = new Outbox('k', wire, (refused) => told.push(refused.reason), shelf);
    outbox.add(batch('a'));
    outbox.add(batch('b'));
    await vi.runAllTimersAsync();
    expect([sent, told, outbox.refused.length]).toEqual([['b'], ['You may not.'], 1]);
  });

  it('takes back the newest batch, sent or not', async () => {
    const undone: string[] = [];
    let away = false;
    const wire = {
      send: async () => {
        if (away) throw new ApiError(0, 'away');
      },
      undo: async (one: Batch) => void undone.push(one.id),
    };
    const outbox = new Outbox('k', wire, undefined, shelf);
    outbox.add(batch('a'));
    await vi.runAllTimersAsync();
    away = true;
    outbox.add(batch('b'));
    await vi.advanceTimersByTimeAsync(100);
    expect((await outbox.undo())?.id).toBe('b');
    expect([undone, outbox.unsaved]).toEqual([[], 0]);
    expect((await outbox.undo())?.id).toBe('a');
    expect(undone).toEqual(['a']);
    expect(await outbox.undo()).toBeNull();
    outbox.stop();
  });
});
