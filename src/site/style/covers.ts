// Covers: beside the words of a torrent, and small in lists whose rows are cards.

export const coversStyle = `
.with-cover { display: flex; flex-wrap: wrap; gap: var(--space-4); align-items: flex-start; }
.with-cover > div { flex: 1 1 18rem; min-width: 0; }
.with-cover .chips { margin: var(--space-3) 0 0; }
.cover {
  flex: 0 1 auto; width: auto; height: auto; max-width: min(100%, 14rem); max-height: 20rem; object-fit: contain;
  background: var(--sunken); border: 1px solid var(--line); border-radius: 6px;
}
.thumb { display: none; }
@media (max-width: 61.99rem) {
  .table-wide .thumb {
    display: block; float: right; width: 3.5rem; height: 3.5rem; object-fit: cover; margin-left: var(--space-3);
    background: var(--sunken); border: 1px solid var(--line); border-radius: 6px;
  }
}
`;
