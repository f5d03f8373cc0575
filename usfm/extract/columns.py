"""What a column of a manifest means, and whether it may name somebody: decided by its name, and by what it repeats."""

import difflib
import re
from collections.abc import Iterable, Sequence

from usfm.extract.names import alike

KNOWN = ("path", "patient", "exam", "dataset", "split", "label", "labels", "mask", "boxes", "spacing_mm",
         "row_spacing_mm", "col_spacing_mm")  # fmt: skip
PEOPLE = ("patient", "exam")
TAKEN = frozenset("path sha256 copy kind fps frames patient exam dataset metadata dicom_regions name_hashes".split())
"""Columns of /sources that are the store's own."""

_BASES = {"patient": "patient pat subject subj participant case mrn pid medicalrecord".split(),
          "exam": "exam examination study studyinstance encounter".split()}  # fmt: skip
_COUNTERS = ("", "id", "ids", "no", "nr", "num", "number", "code", "key", "uid", "identifier")
_ALIASES: dict[str, str] = {
    base + counter: name for name, bases in _BASES.items() for base in bases for counter in _COUNTERS
}

_SPACINGS: dict[str, str] = dict.fromkeys(
    "spacingmm pixelspacingmm pixelspacing pixelsizemm mmperpx mmperpixel".split(), "spacing_mm"
)
_SPACINGS |= {"rowspacingmm": "row_spacing_mm", "colspacingmm": "col_spacing_mm"}

_PERSON = frozenset("patient patients subject subjects participant participants proband pat pid mrn".split())
_HARMLESS = frozenset("""age sex gender weight height bmi position orientation group cohort type class status race
    ethnicity years yrs kg cm count category split fold""".split())  # fmt: skip
"""Words beside "patient" that describe without naming."""
_NAME = frozenset("name names".split())
_THING = frozenset("""class label dataset probe transducer device model scanner machine manufacturer vendor organ
    anatomy view plane structure preset study series site center centre hospital institution group category split
    task disease diagnosis finding species collection column variable software protocol region country lesion tumor
    tumour file image img video clip folder mask""".split())  # fmt: skip
"""Things that have names which name nobody (those of files are judged as paths)."""
_NAMING = frozenset("""surname forename firstname lastname givenname familyname fullname middlename maidenname nickname
    initials vorname nachname nom prenom nombre apellido apellidos cognome dob birth birthdate birthday birthplace born
    geburtsdatum geburtstag naissance nascita nacimiento ssn nhs passport accession accessionnumber address street zip
    zipcode postcode postal phone telephone mobile email mail fax contact guardian kin medicare aadhaar cpr bsn nric
    personnummer identifier id uid uuid guid physician doctor nurse referring sonographer radiologist examiner operator
    date dates datetime timestamp datum fecha""".split())  # fmt: skip
_ALONE = frozenset("id uid uuid guid identifier".split())
"""Of those, words that name somebody only where they stand alone: ``image_id`` numbers images."""
_OFFICE = frozenset("national personal person citizen health medical insurance social security record hospital".split())
_NOT_PERSONAL = frozenset("update candidate validate mandate inpatient outpatient".split())
_LONG = ("patient", "patients", "patientid", "patientname", "subject", "subjectid", "participant", "birthdate",
         "dateofbirth", "surname", "lastname", "firstname", "accession", "accessionnumber")  # fmt: skip
_PATHS = frozenset("path paths filename filepath file folder directory dir url uri".split())
_FILES = frozenset("image img imagename imgname video videoname clip clipname mask maskname basename".split())


def meaning(name: str) -> str:
    """Return which known column a name stands for, "" for none; case and separators do not count, but for ``path``.

    Example:
        >>> [meaning(name) for name in ("Patient-ID", "subject_id", "MRN", "StudyInstanceUID", "Label", "probe")]
        ['patient', 'patient', 'patient', 'exam', 'label', '']
    """
    if name == "path":
        return name
    plain, own = _plain(name), ("dataset", "split", "label", "labels", "mask", "boxes")
    return _ALIASES.get(plain, plain if plain in own else _SPACINGS.get(plain, ""))


def personal(name: str) -> bool:
    """Say whether a column may name somebody: a person, a date, a number of an office; typos of these count.

    Example:
        >>> [personal(name) for name in ("patient_name", "dob", "StudyDate", "pateint", "national_id", "id")]
        [True, True, True, True, True, True]
        >>> [personal(name) for name in ("probe", "probe_name", "image_id", "patient_age", "pathology", "update")]
        [False, False, False, False, False, False]
    """
    plain, words = _plain(name), set(_words(name))
    letters = {word for word in words if not word.isdigit()}
    if plain in _NAMING or letters & (_NAMING - _ALONE) or (letters and letters <= _ALONE):
        return True
    if letters & _NAME and not letters & _THING:
        return True
    if letters & _PERSON:
        return not (letters & _HARMLESS and letters <= _HARMLESS | _PERSON)
    if letters & _OFFICE and letters & set(_COUNTERS) and not (letters & {"hospital"} and "id" in letters):
        return True
    if plain.endswith(("date", "datetime")) and plain not in _NOT_PERSONAL:
        return True
    return plain not in _NOT_PERSONAL and bool(difflib.get_close_matches(plain, _LONG, n=1, cutoff=0.83))


def shows_path(name: str) -> bool:
    """Say whether a column holds paths or names of files.

    Example:
        >>> [shows_path(name) for name in ("file_name", "path2", "image", "image_quality", "pathology")]
        [True, True, True, False, False]
    """
    return bool(set(_words(name)) & _PATHS) or _plain(name) in _FILES | _PATHS


def shows_file(name: str) -> bool:
    """Say whether a column holds paths or names of files of this machine, so no addresses.

    Example:
        >>> shows_file("file"), shows_file("url")
        (True, False)
    """
    return shows_path(name) and not set(_words(name)) & {"url", "uri", "link"}


def repeats(values: Sequence[str], rows: Sequence[dict[str, str]]) -> bool:
    """Say whether a column repeats what is hidden elsewhere: a row's patient or exam, or the name of its file.

    Args:
        values: Of the column, one a row.
        rows: The rows, with ``path`` and, where known, ``patient`` and ``exam``.

    Returns:
        True for one row that holds a patient or exam, or for half of the rows that hold the name of their file.
    """
    named = held = filled = 0
    for value, row in zip(values, rows, strict=True):
        text = alike(value).casefold()
        if not text:
            continue
        filled += 1
        people = (alike(row.get(one, "")).casefold() for one in PEOPLE)
        named += any(_telling(one) and one in text for one in people)
        stem = alike(re.split(r"[/\\]", row["path"])[-1]).casefold().rpartition(".")[0]
        held += _telling(stem) and stem in text
    return named > 0 or (held > 0 and 2 * held >= filled)


def stored_name(name: str) -> str:
    """Return the name under which the store keeps a manifest's own column.

    Example:
        >>> stored_name("probe"), stored_name("frames"), stored_name("size/mm")
        ('probe', 'manifest_frames', 'size_mm')
    """
    name = "".join(char if char.isprintable() else "_" for char in alike(name))
    name = name.replace("/", "_").strip(". ") or "column"
    return f"manifest_{name}" if name in TAKEN else name


def near(name: str, known: Iterable[str]) -> str:
    """Return the known name that a name is nearest to, "" where none is near.

    Args:
        name: As it is written.
        known: Names that there are.

    Returns:
        One of ``known``, or "".
    """
    return next(iter(difflib.get_close_matches(name.lower(), list(known), n=1)), "")


def _telling(text: str) -> bool:
    """Whether a text is long enough that finding it again elsewhere is no chance."""
    return len(text) >= 5 and (not text.isdigit() or len(text) >= 6)


def _plain(name: str) -> str:
    return "".join(char for char in alike(name).casefold() if char.isalnum())


def _words(name: str) -> list[str]:
    """Cut a name where separators, capitals and digits say so."""
    spaced = re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return [word.casefold() for word in re.split(r"[\W_]+", spaced) if word]
