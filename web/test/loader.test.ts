import { describe, expect, it } from 'vitest';
import { ApiError } from '../src/lib/api';
import { Latest, Loader } from '../src/lib/loader.svelte';

/** Questions whose answers come when the test says so, in any order, also when they were called off. */
function asked<T>() {
  const open: { signal: AbortSignal; answer: (value: T) => void; fail: (error: unknown) => void }[] = [];
  return { open, ask: (signal: AbortSignal) => new Promise<T>((answer, fail) => open.push({ signal, answer, fail })) };
}

const stays = () => undefined;

describe('what is loaded', () => {
  it('is the answer to the last question, however late an earlier one comes', async () => {
    const { open, ask } = asked<string>();
    const loader = new Loader(ask, stays);
    const [first, second] = [loader.reload(), loader.reload()];
    expect(open[0]?.signal.aborted).toBe(true);
    open[1]?.answer('new');
    await second;
    open[0]?.answer('old');
    await first;
    expect([loader.data, loader.loading]).toEqual(['new', false]);
  });

  it('stays while it is asked for again, also when that fails, and the failure goes with the next answer', async () => {
    const { open, ask } = asked<string>();
    const loader = new Loader(ask, stays);
    const first = loader.reload();
    open[0]?.answer('here');
    await first;
    const second = loader.reload();
    expect([loader.data, loader.loading]).toEqual(['here', true]);
    open[1]?.fail(new ApiError(500, 'broken', 'r1'));
    await second;
    expect([loader.data, loader.error?.requestId]).toEqual(['here', 'r1']);
    const third = loader.reload();
    open[2]?.answer('again');
    await third;
    expect([loader.data, loader.error]).toEqual(['again', null]);
  });

  it('is not replaced by the failure of an earlier question', async () => {
    const { open, ask } = asked<string>();
    const loader = new Loader(ask, stays);
    const [first, second] = [loader.reload(), loader.reload()];
    open[1]?.answer('new');
    await second;
    open[0]?.fail(new ApiError(500, 'broken'));
    await first;
    expect([loader.data, loader.error]).toEqual(['new', null]);
  });

  it('is nothing once it was cleared, whatever comes later', async () => {
    const { open, ask } = asked<string>();
    const loader = new Loader(ask, stays);
    const first = loader.reload();
    loader.clear();
    open[0]?.answer('late');
    await first;
    expect([loader.data, loader.loading]).toEqual([null, false]);
  });

  it('is called off with the component that asked for it', async () => {
    const { open, ask } = asked<string>();
    let leave = () => undefined as void;
    const loader = new Loader(ask, (stop) => (leave = stop));
    const first = loader.reload();
    leave();
    expect(open[0]?.signal.aborted).toBe(true);
    open[0]?.answer('late');
    await first;
    expect(loader.data).toBe(null);
  });

  it('is made longer, unless something else was asked for meanwhile', async () => {
    const { open, ask } = asked<number[]>();
    const loader = new Loader(ask, stays);
    const first = loader.reload();
    open[0]?.answer([1]);
    await first;
    await loader.extend((known) => Promise.resolve([...known, 2]));
    expect(loader.data).toEqual([1, 2]);
    let later: (more: number[]) => void = () => undefined;
    const longer = loader.extend(() => new Promise((resolve) => (later = resolve)));
    const other = loader.reload();
    open[1]?.answer([7]);
    await other;
    later([1, 2, 3]);
    await longer;
    expect(loader.data).toEqual([7]);
  });
});

describe('what is asked while someone types', () => {
  it('gives the answer and the failure of the last question only', async () => {
    const { open, ask } = asked<string>();
    const took: string[] = [];
    const latest = new Latest();
    const question = () => latest.ask(ask, (found) => took.push(found), (error) => took.push(String(error)));
    for (let time = 0; time < 3; time++) question();
    open[2]?.answer('c');
    open[0]?.answer('a');
    open[1]?.fail('b failed');
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
    expect(took).toEqual(['c']);
    question();
    latest.clear();
    open[3]?.answer('d');
    await Promise.resolve();
    expect(took).toEqual(['c']);
  });
});
