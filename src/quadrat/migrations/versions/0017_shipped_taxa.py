"""A small real tree of life and of other things that float, so that there is something to classify with."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_FIRST_OWN_ID = 1000
# Each line is a child of the nearest line above that is indented less. A star marks forms and things, which are no
# groups of organisms. Where a name stands twice, both are shown with their parents.
_TREE = """
living
  Bacteria
    Cyanobacteria
      Trichodesmium
  Eukaryota
    Rhizaria
      Radiolaria
        Acantharea
        Collodaria
      Foraminifera
    Alveolata
      Ciliophora
        Tintinnida
      Dinophyceae
        Ceratiaceae
        Noctilucaceae
    Stramenopiles
      Bacillariophyta
        Chaetocerotaceae
        Rhizosoleniaceae
        Coscinodiscophyceae
    Metazoa
      Porifera
      Ctenophora
      Cnidaria
        Hydrozoa
          Siphonophorae
          Hydroidolina
        Scyphozoa
        Anthozoa
      Chaetognatha
      Bryozoa
        *cyphonaute
      Annelida
        Polychaeta
          Tomopteridae
            Tomopteris
      Mollusca
        Gastropoda
          Pteropoda
          Heteropoda
        Bivalvia
        Cephalopoda
      Arthropoda
        Crustacea
          *larvae
          *small
          Copepoda
            Calanoida
              Calanidae
              Temoridae
              Acartiidae
            Cyclopoida
              Oithonidae
            Poecilostomatoida
              Corycaeidae
              Oncaeidae
            Harpacticoida
            *nauplii
          Cladocera
            Podonidae
            Penilia
          Ostracoda
          Cirripedia
            *nauplii
            *cypris
          Malacostraca
            Euphausiacea
            Decapoda
              *zoea
              *megalopa
            Amphipoda
              Hyperiidea
            Mysida
      Echinodermata
        *pluteus
      Chordata
        Appendicularia
          Oikopleuridae
          Fritillariidae
        Thaliacea
          Salpida
          Doliolida
        Pisces
          *egg
          *larvae
  *egg
  *othertocheck
  *multiple
*not-living
  *artefact
    *badfocus
    *bubble
    *grey line
    *grey surface
    *scratch
  *detritus
  *fiber
  *plastic
  *duplicate
*digit
  *0
  *1
  *2
  *3
  *4
  *5
  *6
  *7
  *8
  *9
"""


def upgrade() -> None:
    taxon = sa.table(
        "taxon",
        sa.column("id", sa.BigInteger()),
        sa.column("parent_id", sa.BigInteger()),
        sa.column("path", sa.ARRAY(sa.BigInteger())),
        sa.column("name", sa.Text()),
        sa.column("display_name", sa.Text()),
        sa.column("kind", sa.Text()),
        schema="objects",
    )
    op.bulk_insert(taxon, _rows())
    op.execute(f"ALTER TABLE objects.taxon ALTER COLUMN id RESTART WITH {_FIRST_OWN_ID}")


def _rows() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    above: list[tuple[int, str]] = []
    for id_, line in enumerate(_TREE.strip("\n").split("\n"), start=1):
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.strip().removeprefix("*")
        del above[depth:]
        rows.append(
            {
                "id": id_,
                "parent_id": above[-1][0] if above else None,
                "path": [parent for parent, _ in above] + [id_],
                "name": name,
                "display_name": name,
                "kind": "morpho" if line.strip().startswith("*") else "phylo",
                "above": above[-1][1] if above else "",
            }
        )
        above.append((id_, name))
    names = [row["name"] for row in rows]
    for row in rows:
        above_name = row.pop("above")
        if names.count(row["name"]) > 1 and above_name:
            row["display_name"] = f"{row['name']}<{above_name}"
    return rows
