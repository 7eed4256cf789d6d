"""All that a machine can prove in the time given: ``order`` says what comes first, ``plan`` when it would."""
