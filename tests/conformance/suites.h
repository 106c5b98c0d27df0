/* tests/conformance/suites.h: tests of this program that live in files of their own. */
#ifndef BITUNE_TESTS_CONFORMANCE_SUITES_H
#define BITUNE_TESTS_CONFORMANCE_SUITES_H

#endif
