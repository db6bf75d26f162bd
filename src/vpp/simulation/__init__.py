"""How assets behave: batteries that execute commands and plants replayed from measurements."""
