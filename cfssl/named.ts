import type { SubjectName } from '../authority/request.ts'
import { Fields, names } from './fields.ts'

const NAME = names('C', 'ST', 'L', 'O', 'OU', 'E', 'SerialNumber', 'OID')

/** One set of attributes of a subject (csr.Name). @throws BadField */
export function namedFields(value: unknown, path: string): Fields {
  return new Fields(value, path, NAME)
}

/** The attributes of a set that every request may have. @throws BadField */
export function plainName(fields: Fields): SubjectName {
  return {
    country: fields.text('C'),
    state: fields.text('ST'),
    locality: fields.text('L'),
    organization: fields.text('O'),
    unit: fields.text('OU'),
  }
}
