/* core/lapack.h: the routines of LAPACK that are used, column-major. Parts that call them link it. */
#ifndef BITUNE_CORE_LAPACK_H
#define BITUNE_CORE_LAPACK_H

/* Cholesky factor and its solution. */
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dpotrs_(const char *uplo, const int *n, const int *nrhs, const double *a, const int *lda, double *b, const int *ldb,
             int *info);
/* Bunch-Kaufman factor of a symmetric indefinite matrix and its solution. */
void dsytrf_(const char *uplo, const int *n, double *a, const int *lda, int *ipiv, double *work, const int *lwork,
             int *info);
void dsytrs_(const char *uplo, const int *n, const int *nrhs, const double *a, const int *lda, const int *ipiv,
             double *b, const int *ldb, int *info);

#endif
