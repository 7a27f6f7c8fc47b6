// Lists of the API come in keyset pages: `{items, next, total}`.

interface Page<T> {
  items: T[];
  next?: string | null;
  total?: number | null;
}

/** Yield the pages of a list, one after the other. `fetchPage` gets the cursor of the page, undefined for the first. */
export async function* pagesOf<T>(
  fetchPage: (cursor: string | undefined) => Promise<Page<T>>,
): AsyncGenerator<Page<T>> {
  let cursor: string | undefined;
  do {
    const page = await fetchPage(cursor);
    yield page;
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
}
